import { once } from "node:events";
import type { Server } from "node:http";

const tries = 20;

/**
 * Listens on PORT (3000), or on the next port that is free, and says where that is. Only this machine can connect, unless
 * HOST says otherwise: `HOST=0.0.0.0 npm start` lets a phone in the same network take part.
 */
export async function listen(server: Server): Promise<{ port: number; address: string }> {
  const { HOST: host = "127.0.0.1", PORT = "3000" } = process.env;
  const first = Number(PORT);
  for (let port = first; ; port++) {
    try {
      server.listen(port, host);
      await once(server, "listening");
      break;
    } catch (error) {
      const taken = (error as NodeJS.ErrnoException).code === "EADDRINUSE";
      if (!taken || port === first + tries) throw error;
    }
  }
  const { port } = server.address() as { port: number };
  const name = host === "127.0.0.1" || host === "0.0.0.0" ? "localhost" : host;
  return { port, address: `http://${name}:${port}` };
}
