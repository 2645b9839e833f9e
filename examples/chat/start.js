// Keeps the server running: when it is killed, a new one starts. In production, this is the task of your platform.
import { spawn } from "node:child_process";
import { join } from "node:path";

const program = join(import.meta.dirname, "server.js");

function run() {
  const server = spawn(process.execPath, [program], { stdio: "inherit" });
  const stop = (signal) => server.kill(signal);
  process.once("SIGTERM", stop).once("SIGINT", stop);
  server.on("exit", (code, signal) => {
    process.off("SIGTERM", stop).off("SIGINT", stop);
    if (signal !== "SIGKILL") process.exit(code ?? 1);
    console.log("The server was killed. A new one starts.");
    run();
  });
}

run();
