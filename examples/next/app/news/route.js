import { hub } from "../lib/hub.js";

export function GET(request) {
  return hub.response(request, { channels: ["news"], rewind: 10 });
}
