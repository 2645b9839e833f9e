// Lets a server that was closed end: a connection that is kept for a next request would hold it up.
import { ServerResponse } from "node:http";
import type { ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import type { NodeResponse } from "./node-response.ts";

/** A socket of HTTP/1.1, or a session of HTTP/2. */
export type NodeConnection = Socket | ServerHttp2Session;

/**
 * Servers that listened when one of their streams opened. A server that does not listen was not necessarily closed: sockets
 * can be handed to it, by `server.emit("connection", socket)` or from another process.
 */
const haveListened = new WeakSet<object>();

/** Remembers that the server of a response listens, if it does. */
export function noteServer(response: NodeResponse): void {
  const server = serverOf(connectionOf(response));
  if (server?.listening) haveListened.add(server);
}

/** The connection of a response. Ask before the response ends: then it forgets its connection. */
export function connectionOf(response: NodeResponse): NodeConnection | undefined {
  return response instanceof ServerResponse
    ? response.req?.socket
    : (response.stream?.session as ServerHttp2Session | undefined);
}

/** Ends a connection whose response is over, if its server was closed in the meantime. */
export function endWithServer(connection: NodeConnection | undefined): void {
  const server = serverOf(connection);
  if (connection === undefined || !server || server.listening || !haveListened.has(server)) return;
  // When a server is closed, Node closes connections of HTTP/1.1 that are idle, but not those that become idle later. Each
  // call of destroySoon() adds a listener, and many streams may end on one connection.
  if ("destroySoon" in connection) {
    if (connection.writable) connection.destroySoon();
  }
  // Before Node 24, closing a server does not close its sessions of HTTP/2 (https://github.com/nodejs/node/pull/57586).
  // Other streams of the session may go on to their ends.
  else connection.close();
}

/** Node sets it to `null` on a client's socket, and some mocks have none. */
function serverOf(connection: NodeConnection | undefined): { readonly listening?: boolean } | null | undefined {
  return (connection as { server?: { listening?: boolean } | null } | undefined)?.server;
}
