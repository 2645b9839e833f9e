import { openBoard } from "../../lib/board/hub.js";
import type { PageServerLoad } from "./$types";

export const load: PageServerLoad = () => openBoard().snapshot();
