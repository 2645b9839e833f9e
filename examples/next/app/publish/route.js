import { hub } from "../lib/hub.js";

export async function POST(request) {
  const id = await hub.channel("news").dispatch("headline", await request.json());
  return Response.json({ id }, { status: 201 });
}
