import { openBoard } from "../../../board/hub.js";

export function GET(request) {
  return openBoard().hub.response(request, { channels: ["board"] });
}
