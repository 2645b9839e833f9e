import { openBoard } from "../../../board/hub.js";

export async function POST(request) {
  const { text } = await request.json();
  try {
    await openBoard().announce(text);
    return new Response(null, { status: 204 });
  } catch (error) {
    return new Response(error.message, { status: 400 });
  }
}
