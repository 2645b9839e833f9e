import { json } from "@sveltejs/kit";
import { broadcast } from "../../lib/clients.ts";
import type { RequestHandler } from "./$types";

export const POST: RequestHandler = async ({ request }) => {
  const { text } = await request.json();
  return json({ served: broadcast(text) });
};
