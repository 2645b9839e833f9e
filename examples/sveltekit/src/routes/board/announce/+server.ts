import { openBoard } from "../../../lib/board/hub.js";
import type { RequestHandler } from "./$types";

export const POST: RequestHandler = async ({ request }) => {
  const { text } = await request.json();
  try {
    await openBoard().announce(text);
    return new Response(null, { status: 204 });
  } catch (error) {
    return new Response(String(error), { status: 400 });
  }
};
