import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Html } from "./html.ts";

const longestBody = 4 * 1024;

/** The response of a route that rejects a request. */
export class Refusal extends Error {
  readonly status: number;
  readonly headers: Record<string, string>;

  constructor(status: number, message: string, headers: Record<string, string> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

/** The fields of a posted form. */
export async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  // Browsers send the origin of a request. Other sites may not post here.
  const site = request.headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin") throw new Refusal(403, "Only this page may post here");
  const chunks: Buffer[] = [];
  let length = 0;
  // Not destroyed when the loop ends early, because the response is sent on the same connection.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    length += chunk.byteLength;
    if (length > longestBody) throw new Refusal(413, "That is more than this demo takes");
    chunks.push(chunk);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString("utf8"));
}

const securityHeaders = {
  "content-security-policy":
    "default-src 'self'; style-src-attr 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

export function sendPage(response: ServerResponse, page: Html, status = 200): void {
  // The page contains the id of its window, so two windows must not share a cached copy.
  response.writeHead(status, {
    ...securityHeaders,
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
  });
  response.end(`<!doctype html>\n${page}`);
}

export function sendText(
  response: ServerResponse,
  status: number,
  text: string | Html,
  headers: Record<string, string> = {},
): void {
  const type = typeof text === "string" ? "text/plain" : "text/html";
  response.writeHead(status, {
    ...securityHeaders,
    ...headers,
    "content-type": `${type}; charset=utf-8`,
    "cache-control": "no-store",
  });
  response.end(String(text));
}

const types: Record<string, string> = {
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
  woff2: "font/woff2",
};

/** Files by the path that they are served at, read once. */
export class StaticFiles {
  readonly #files = new Map<string, { body: Buffer; headers: Record<string, string> }>();

  constructor(files: Record<string, URL>) {
    for (const [path, url] of Object.entries(files)) {
      const body = readFileSync(url);
      const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 16)}"`;
      // By the file, not by the path: the icon is served under the name that browsers guess, too.
      const type = types[url.pathname.slice(url.pathname.lastIndexOf(".") + 1)] ?? "application/octet-stream";
      this.#files.set(path, {
        body,
        headers: { "content-type": type, "cache-control": "no-cache", etag, "x-content-type-options": "nosniff" },
      });
    }
  }

  has(path: string): boolean {
    return this.#files.has(path);
  }

  /** @returns false if there is no such file. */
  serve(path: string, request: IncomingMessage, response: ServerResponse): boolean {
    const file = this.#files.get(path);
    if (file === undefined) return false;
    const known = request.headers["if-none-match"] === file.headers.etag;
    response.writeHead(known ? 304 : 200, file.headers);
    response.end(known ? undefined : file.body);
    return true;
  }
}
