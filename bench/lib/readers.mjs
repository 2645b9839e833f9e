// Holds connections to a server and discards what they receive: node readers.mjs PORT COUNT [ENCODING]. Prints "ready" when all are open.
import { connect } from "node:net";

const [port = 0, count = 0] = process.argv.slice(2, 4).map(Number);
const [, , , , encoding = "identity"] = process.argv;
let open = 0;
for (let index = 0; index < count; index++) {
  const socket = connect({ port, host: "127.0.0.1" });
  socket.write(`GET / HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: ${encoding}\r\n\r\n`);
  socket.once("data", () => {
    if (++open === count) console.log("ready");
  });
  socket.on("data", () => {});
  socket.on("error", () => {});
}
