import { broadcast } from "../lib/clients.ts";
import type { Actions } from "./$types";

export const actions: Actions = {
  default: async ({ request }) => {
    const form = await request.formData();
    return { served: broadcast(String(form.get("text"))) };
  },
};
