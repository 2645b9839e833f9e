import { EventSource } from "sourcecast";
import { clients } from "../../lib/clients.ts";
import type { RequestHandler } from "./$types";

export const GET: RequestHandler = ({ request }) => {
  const source = new EventSource(request);
  clients.add(source);
  return source.response();
};
