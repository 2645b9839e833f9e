// The channels of a request, as parameters of its address or as the fields of a form.
import type { PreparedRequest } from "./request.ts";
import type { StreamRequest } from "./stream-request.ts";

/** Servers and proxies have limits for the request line, from 8 kB on. A longer address becomes the form of a POST. */
const maxAddressLength = 4_000;

/** Held channels resume after the position of the request, joining ones begin as for a new client. */
export function channelFields({ held, joining, label }: StreamRequest): URLSearchParams {
  const fields = new URLSearchParams();
  for (const channel of held) fields.append("channel", channel);
  for (const channel of joining) fields.append("join", channel);
  if (label) fields.append("label", "1");
  return fields;
}

/** The request with these parameters. */
export function addFields({ url, init }: PreparedRequest, fields: URLSearchParams): PreparedRequest {
  if (fields.size === 0) return { url, init };
  const address = `${url}${url.includes("?") ? "&" : "?"}${fields}`;
  if (address.length <= maxAddressLength || init.method !== "GET") return { url: address, init };
  // `fetch` sets the content type, one that needs no preflight.
  return { url, init: { ...init, method: "POST", body: fields } };
}
