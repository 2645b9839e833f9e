/** A user of NATS who loses rights while a log runs, and gets them back: an operator edits the configuration and reloads it. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, test } from "vitest";
import { natsLog } from "../../src/logs/nats/index.ts";
import { eventually } from "../support/deadline.ts";
import { connectNats, startNats } from "../support/stores/nats-server.ts";
import { expectToOutlive } from "../support/stores/revoked.ts";

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A user with rights, next to one that tells whether a configuration is in force. */
const users = (permissions: string, mark: string, password = "secret") =>
  `authorization { users = [ { user: app, password: ${password}, permissions: { ${permissions} } }, { user: ${mark}, password: m } ] }`;
/** A connection that arrives in the middle of a reload may get no answer. By default, the client waits 20 s for it. */
const connectTimeoutMs = 2_000;
const allRights = `publish: ">", subscribe: ">"`;

test.each([
  ["the subjects of events", users(`publish: { deny: "sourcecast.>" }, subscribe: ">"`, "revoked")],
  ["all subjects", users(`publish: { deny: ">" }, subscribe: { deny: ">" }`, "revoked")],
  ["the answers", users(`publish: ">", subscribe: { deny: "_INBOX.>" }`, "revoked")],
  ["the password", users(allRights, "revoked", "other")],
])("%s", async (_, revoked) => {
  const granted = users(allRights, "granted");
  const server = await startNats({ server: granted });
  cleanups.push(() => server[Symbol.asyncDispose]());
  // Without the option, the client closes the connection after the second rejection of its password.
  const connection = await connectNats(server, {
    user: "app",
    pass: "secret",
    ignoreAuthErrorAbort: true,
    timeout: connectTimeoutMs,
  });
  cleanups.push(() => connection.close());
  const log = natsLog({ connection, stream: "events", appendTimeout: "2s" });
  cleanups.push(() => log.close());

  let present = granted;
  const change = async (next: string, mark: string): Promise<void> => {
    const path = join(server.folder, "nats.conf");
    writeFileSync(path, readFileSync(path, "utf8").replace(present, next));
    present = next;
    server.reload();
    const tryMark = () =>
      connectNats(server, { user: mark, pass: "m", maxReconnectAttempts: 0, timeout: connectTimeoutMs }).then(
        (own) => own.close().then(() => true),
        () => false,
      );
    await eventually("the configuration is in force", tryMark, Boolean);
  };
  await expectToOutlive(log, {
    revoke: () => change(revoked, "revoked"),
    grant: () => change(granted, "granted"),
  });
});
