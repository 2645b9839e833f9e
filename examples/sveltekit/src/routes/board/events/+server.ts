import { openBoard } from "../../../lib/board/hub.js";
import type { RequestHandler } from "./$types";

export const GET: RequestHandler = ({ request }) => openBoard().hub.response(request, { channels: ["board"] });
