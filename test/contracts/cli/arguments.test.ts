// The arguments of the command: what each sets, and the message for each mistake.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readArguments, type Settings } from "../../../src/cli/arguments.ts";
import { exitCodes, exitMeanings } from "../../../src/cli/exit-codes.ts";
import { help, version } from "../../../src/cli/help.ts";
import { root } from "../../support/package.ts";
import { temporaryFile } from "../../support/temporary.ts";

const read = (...args: string[]): Settings => {
  const settings = readArguments([...args, "http://localhost/events"]);
  if (typeof settings === "string") throw new Error(settings);
  return settings;
};
const text = (body: Uint8Array | undefined): string => new TextDecoder().decode(body);

test("defaults: a GET that is repeated, everything printed", () => {
  expect(read()).toEqual({
    url: "http://localhost/events",
    channels: [],
    headers: [],
    method: "GET",
    body: undefined,
    after: "",
    resumeFile: undefined,
    types: new Set(),
    count: Number.POSITIVE_INFINITY,
    timeout: undefined,
    idle: 60_000,
    retry: true,
    json: undefined,
    quiet: false,
    verbose: false,
  });
});

test.each([
  [["http://ada:l%C3%A4cheln@localhost/"], [["authorization", "Basic YWRhOmzDpGNoZWxu"]]],
  [["http://ada@localhost/"], [["authorization", "Basic YWRhOg=="]]],
  [["http://ada:x@localhost/", "-H", "Authorization: Bearer y"], [["Authorization", "Bearer y"]]],
])("credentials of an address are a header: %j", (args, headers) => {
  expect(readArguments(args)).toMatchObject({ url: "http://localhost/", headers });
});

test("options may repeat, be short, and follow the address", () => {
  const args = ["-c", "a", "--channel=b", "-H", "x-a: 1", "--header", "X-B:2", "-t", "price", "-n", "3", "-qv"];
  const expected = {
    channels: ["a", "b"],
    headers: [
      ["x-a", "1"],
      ["X-B", "2"],
    ],
    types: new Set(["price"]),
    count: 3,
    quiet: true,
    verbose: true,
  };
  expect(read(...args)).toMatchObject(expected);
  expect(readArguments(["http://localhost/events", ...args])).toEqual(read(...args));
});

test.each([
  ["localhost:3000/events", "http://localhost:3000/events"],
  ["https://example.com", "https://example.com/"],
  ["HTTP://example.com/a b", "http://example.com/a%20b"],
])("the address %s is %s", (address, url) => expect(readArguments([address])).toMatchObject({ url }));

test.each([
  [['{"a":1}'], "application/json"],
  [["plain words"], "text/plain;charset=UTF-8"],
  [["channel=news&channel=orders%2F7"], "application/x-www-form-urlencoded"],
  [["empty="], "application/x-www-form-urlencoded"],
  [["Is 1+1=2 true?"], "text/plain;charset=UTF-8"],
  [["a==b"], "text/plain;charset=UTF-8"],
])("--data %j is sent as %s", ([body = ""], type) => {
  const settings = read("--data", body);
  expect(settings).toMatchObject({ method: "POST", headers: [["content-type", type]], retry: false, idle: 300_000 });
  expect(text(settings.body)).toBe(body);
});

test("--data @FILE reads a file, and a header of the user wins", () => {
  const file = temporaryFile("body");
  writeFileSync(file.path, "[1]");
  const settings = read("--data", `@${file.path}`, "-H", "Content-Type: text/x", "--method", "put", "--retry");
  file.remove();
  expect(settings).toMatchObject({ method: "PUT", headers: [["Content-Type", "text/x"]], retry: true, idle: 60_000 });
  expect(text(settings.body)).toBe("[1]");
});

test.each([
  ["500ms", 500],
  ["1.5s", 1_500],
  ["2m", 120_000],
])("a time of %s is %i ms", (time, milliseconds) => {
  expect(read("--timeout", time, "--idle", time)).toMatchObject({ timeout: milliseconds, idle: milliseconds });
});

test("--json and --no-json, --retry and --no-retry", () => {
  expect(read("--json").json).toBe(true);
  expect(read("--no-json").json).toBe(false);
  expect(read("--no-retry").retry).toBe(false);
});

describe("a mistake is named, with its remedy", () => {
  const url = "http://localhost/";
  test.each([
    [[], "The address of the stream is missing"],
    [[url, url], 'There are 2 addresses; pass one, and quote "&" and "?"'],
    [["ftp://localhost/"], 'The address is "ftp://localhost/"; it has to be one of http or https'],
    [["http://a%zz@localhost/"], 'The address has a name or a password with a "%"'],
    [["http://"], 'The address is "http://"; it has to be one of http or https'],
    [["--chanel", "a", url], "The option --chanel is unknown; did you mean --channel?"],
    [["-z", url], "The option -z is unknown"],
    [["--header", url], "The address of the stream is missing"],
    [[url, "--header"], "The option --header takes a value"],
    [[url, "--after", "-x"], "The option --after takes a value; write --after=VALUE for one that begins with a dash"],
    [["--json=1", url], "The option --json takes no value"],
    [["-n", "0", url], 'The option --count is "0"; it takes a whole number from 1 on'],
    [["-n", "1e3", url], 'The option --count is "1e3"; it takes a whole number from 1 on'],
    [["--timeout", "10", url], 'The option --timeout is "10"; it takes a time above zero with its unit'],
    [["--idle", "0s", url], 'The option --idle is "0s"; it takes a time above zero with its unit'],
    [["-H", "authorization", url], 'The option --header is "authorization"; it takes a line such as'],
    [["-H", "a b: c", url], 'The option --header is "a b: c"; it takes a line such as'],
    [["-H", "a: ü→", url], 'The option --header is "a: ü→"; it takes a line such as'],
    [["-X", "GE T", url], 'The option --method is "GE T"; it takes a method of HTTP'],
    [["-X", "GET", "-d", "x", url], 'The option --method is "GET"; it takes a method that has a body, since there is'],
    [["-d", "@/nowhere", url], 'The option --data is "@/nowhere", which cannot be read: ENOENT'],
  ])("%j", (args, message) => {
    expect(() => readArguments(args)).toThrow(expect.objectContaining({ message: expect.stringContaining(message) }));
  });
});

test("the help names each option and each exit code, in lines of at most 100 characters", () => {
  for (const name of ["help", "version"] as const) expect(readArguments([`--${name}`])).toBe(name);
  const source = readFileSync(join(root, "src/cli/arguments.ts"), "utf8");
  const names = [...source.matchAll(/^ {2}(\w+): \{ type: /gm)].map(([, name]) => name);
  expect(names).toHaveLength(16);
  for (const name of names) expect(help).toContain(`--${name}`);
  expect(exitMeanings.flatMap(([codes]) => codes.split(", ").map(Number))).toEqual(Object.values(exitCodes));
  expect(Math.max(...help.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
  expect(version()).toMatch(/^\d+\.\d+\.\d+/);
});
