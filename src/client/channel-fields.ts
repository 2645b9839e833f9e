// The channels of a request, as parameters of its address or as the fields of a form.
import type { StreamRequest } from "./router.ts";

/** Held channels resume after the position of the request, joining ones begin as for a new client. */
export function channelFields({ held, joining, label }: StreamRequest): URLSearchParams {
  const fields = new URLSearchParams();
  for (const channel of held) fields.append("channel", channel);
  for (const channel of joining) fields.append("join", channel);
  if (label) fields.append("label", "1");
  return fields;
}
