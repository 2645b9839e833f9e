import { expect, test, vi } from "vitest";
import { Listeners } from "../../../src/client/listeners.ts";

/** Calls with each type in turn. @returns The names of the listeners that were called. */
function recorder() {
  const calls: string[] = [];
  const listeners = new Listeners<string>();
  return {
    listeners,
    add: (type: string, name: string) => listeners.add(type, (value) => void calls.push(`${name}:${value}`)),
    callsOf: (...types: string[]) => {
      for (const type of types) listeners.call(type, type);
      return calls.splice(0);
    },
  };
}

test("listeners of a type are called in their order, before those of all types", () => {
  const { add, callsOf } = recorder();
  add("*", "all");
  add("a", "one");
  add("a", "two");
  add("b", "other");
  expect(callsOf("a", "a", "b", "c")).toEqual([
    "one:a",
    "two:a",
    "all:a",
    "one:a",
    "two:a",
    "all:a",
    "other:b",
    "all:b",
    "all:c",
  ]);
});

test("listeners that come and go between events of one type are heeded with the next", () => {
  const { add, callsOf } = recorder();
  expect(callsOf("a")).toEqual([]);
  const removeOne = add("a", "one");
  expect(callsOf("a")).toEqual(["one:a"]);
  const removeTwo = add("a", "two");
  expect(callsOf("a")).toEqual(["one:a", "two:a"]);
  removeOne();
  removeTwo();
  expect(callsOf("a")).toEqual([]);
  add("a", "three");
  removeOne();
  const removeAll = add("*", "all");
  expect(callsOf("a")).toEqual(["three:a", "all:a"]);
  removeAll();
  expect(callsOf("a")).toEqual(["three:a"]);
});

test("a listener that an earlier one removes is not called, and one that it adds is", () => {
  const { listeners, add, callsOf } = recorder();
  const removers: (() => void)[] = [];
  listeners.add("a", () => {
    for (const remove of removers.splice(0)) remove();
    add("a", "added");
  });
  removers.push(add("a", "removed"));
  expect(callsOf("a")).toEqual(["added:a"]);
});

test.each([
  ["b", ["b:inner", "all:inner", "a:a", "all:a"]],
  ["*", ["all:inner", "a:a", "all:a"]],
])("a call for %j from within a listener does not disturb the one that is under way", (type, expected) => {
  const { listeners, add, callsOf } = recorder();
  listeners.add("a", () => listeners.call(type, "inner"));
  add("a", "a");
  add("b", "b");
  add("*", "all");
  expect(callsOf("a")).toEqual(expected);
});

test("a listener that throws is reported, and affects no other", () => {
  const report = vi.spyOn(console, "error").mockImplementation(() => {});
  const { listeners, add, callsOf } = recorder();
  const failure = new Error("broken");
  listeners.add("a", () => {
    throw failure;
  });
  add("a", "next");
  expect(callsOf("a")).toEqual(["next:a"]);
  expect(report.mock.calls).toEqual([[expect.any(String), failure]]);
  report.mockRestore();
});
