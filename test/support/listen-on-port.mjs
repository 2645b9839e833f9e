// Loaded with --import before a program of the docs: its server listens on the port in PORT, whatever the program says.
import { Server } from "node:net";

const { listen } = Server.prototype;

Server.prototype.listen = function (...args) {
  const callback = args.find((argument) => typeof argument === "function");
  return listen.call(this, { port: Number(process.env.PORT), host: "127.0.0.1" }, callback);
};
