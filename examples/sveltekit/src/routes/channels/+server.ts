import { channelsOf } from "sourcecast";
import { hub } from "../../lib/hub.ts";
import type { RequestHandler } from "./$types";

const answer: RequestHandler = async ({ request }) =>
  hub.response(request, await channelsOf(request, { allow: ["news", "orders/*"] }));

export const GET = answer;
export const POST = answer;
