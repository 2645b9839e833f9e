// The state machine of the client, without timers: time and chance are arguments.

import { describe, expect, test } from "vitest";
import { lose, reconnect as reconnectNow } from "../../../src/client/backoff.ts";
import {
  dueAt,
  initialState,
  type ReconnectInput,
  type ReconnectSettings,
  type ReconnectState,
  step,
  type Told,
} from "../../../src/client/reconnect.ts";
import { loseByStandard } from "../../../src/client/standard.ts";
import fc from "../../support/properties.ts";

const backoff = { enabled: true, initial: 1_000, max: 30_000 };
const settings: ReconnectSettings = {
  connectTimeout: 30_000,
  idleTimeout: 60_000,
  defaultRetry: 0,
  lose: (...args) => lose(backoff, ...args),
};

/** The stream says something about its own state. */
const tell = (told: Told): ReconnectInput => ({ type: "bytes", told });

/** Runs inputs at their times, with the largest jitter by default. */
function run(inputs: readonly [time: number, input: ReconnectInput][], random = 1, changed = settings): ReconnectState {
  return inputs.reduce((state, [time, input]) => step(state, input, time, changed, random), initialState(0, 0));
}

const opened = { type: "opened" } as const;
const lost = { type: "lost" } as const;

describe("backoff", () => {
  test("doubles from the first delay to the longest, with full jitter", () => {
    let state = initialState(0, 0);
    const delays: number[] = [];
    let now = 0;
    for (let n = 0; n < 8; n++) {
      state = step(state, { type: "lost", error: "refused" }, now, settings, 1);
      delays.push(state.retryAt - now);
      now = state.retryAt;
      state = step(state, { type: "tick" }, now, settings, 1);
    }
    expect(delays).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
    expect(run([[0, lost]], 0).retryAt).toBe(0);
  });

  test("is on top of the server's time: retry for every wait, later and retry-after for one", () => {
    expect(
      run([
        [0, tell({ retryFloor: 5_000 })],
        [10, lost],
      ]).retryAt,
    ).toBe(6_010);
    expect(
      run([
        [0, opened],
        [5, tell({ laterFloor: 20_000 })],
        [10, lost],
      ]).retryAt,
    ).toBe(21_010);
    expect(run([[10, { type: "lost", retryAfter: 7_000 }]]).retryAt).toBe(8_010);
    const again = run([
      [0, opened],
      [5, tell({ laterFloor: 20_000 })],
      [10, lost],
      [21_010, { type: "tick" }],
      [21_020, lost],
    ]);
    expect(again.retryAt).toBe(21_020 + 2_000);
  });

  test("a server cannot send a client away for longer than ten minutes", () => {
    expect(
      run(
        [
          [0, tell({ retryFloor: 99_999_999_999_999 })],
          [0, lost],
        ],
        0,
      ).retryAt,
    ).toBe(600_000);
  });

  test("starts afresh after an event, or after 30 s of health; not after a connect", () => {
    const failing: [number, ReconnectInput][] = [
      [0, lost],
      [1_000, { type: "tick" }],
      [1_000, lost],
      [3_000, { type: "tick" }],
    ];
    const delayAfter = (...inputs: [number, ReconnectInput][]) => {
      const at = inputs.at(-1)?.[0] ?? 0;
      return run([...failing, ...inputs]).retryAt - at;
    };
    expect(delayAfter([3_010, lost])).toBe(4_000);
    expect(delayAfter([3_010, opened], [3_020, lost])).toBe(4_000);
    expect(delayAfter([3_010, opened], [3_015, tell({ attempt: 0 })], [3_020, lost])).toBe(1_000);
    expect(delayAfter([3_010, opened], [33_009, lost])).toBe(4_000);
    expect(delayAfter([3_010, opened], [33_010, lost])).toBe(1_000);
  });

  test("headers are asked for once more after a rejection, at once, and again after a stream has opened", () => {
    const rejected = { type: "lost", kind: "unauthorized", error: "401" } as const;
    expect(run([[0, rejected]])).toMatchObject({ phase: "connecting", connection: 2, error: "401" });
    expect(
      run([
        [0, rejected],
        [1, lost],
        [9_000, { type: "tick" }],
        [9_001, rejected],
      ]),
    ).toMatchObject({ phase: "closed", closedBy: "failed", error: "401" });
    expect(
      run([
        [0, rejected],
        [1, opened],
        [2, lost],
        [9_000, { type: "tick" }],
        [9_001, rejected],
      ]).phase,
    ).toBe("connecting");
    expect(run([[0, { ...rejected, kind: "final" }]])).toMatchObject({ phase: "closed", error: "401" });
  });

  test("switched off, the first end is the last", () => {
    const once: ReconnectSettings = { ...settings, lose: (...args) => lose({ ...backoff, enabled: false }, ...args) };
    expect(
      run(
        [
          [0, opened],
          [1, lost],
        ],
        1,
        once,
      ),
    ).toMatchObject({ phase: "closed", closedBy: "ended" });
    expect(run([[0, { type: "lost", error: "refused" }]], 1, once)).toMatchObject({
      phase: "closed",
      closedBy: "failed",
    });
  });
});

describe("the watchdog", () => {
  test("ends a connection that does not open, and one that is idle", () => {
    const slow = run([[29_999, { type: "tick" }]]);
    expect(slow.phase).toBe("connecting");
    expect(run([[30_000, { type: "tick" }]])).toMatchObject({
      phase: "waiting",
      error: expect.objectContaining({
        failure: "timeout",
        message: expect.stringContaining("not open after 30000 ms"),
      }),
    });
    expect(
      run([
        [10, opened],
        [60_009, { type: "tick" }],
      ]).phase,
    ).toBe("open");
    expect(
      run([
        [10, opened],
        [60_010, { type: "tick" }],
      ]),
    ).toMatchObject({
      phase: "waiting",
      error: expect.objectContaining({ message: expect.stringContaining("for 60000 ms") }),
    });
  });

  test("waits 2.5 times the keep-alive that the server announced, and counts every byte", () => {
    const open = run([
      [0, opened],
      [0, tell({ keepAlive: 1_000 })],
      [900, { type: "bytes" }],
    ]);
    expect(dueAt(open, settings)).toBe(2_400);
    const stale = step(open, { type: "tick" }, 2_400, settings, 1);
    expect([stale.phase, stale.stale, dueAt(stale, settings)]).toEqual(["open", true, 3_400]);
    expect(step(stale, { type: "bytes" }, 2_500, settings, 1)).toMatchObject({ stale: false, lastByteAt: 2_500 });
    expect(step(stale, { type: "tick" }, 3_400, settings, 1).phase).toBe("waiting");
    // A timer of a hidden page may come so late that the stream is dead already.
    expect(step(open, { type: "tick" }, 3_400, settings, 1).phase).toBe("waiting");
  });

  test("takes no keep-alive so short that every stream would be dead", () => {
    const open = run([
      [0, opened],
      [0, tell({ keepAlive: 0 })],
    ]);
    expect(dueAt(open, settings)).toBeGreaterThanOrEqual(375);
  });

  test("stands still while reading is paused", () => {
    const paused = run([
      [0, opened],
      [10, tell({ paused: true })],
      [500_000, { type: "tick" }],
    ]);
    expect([paused.phase, dueAt(paused, settings)]).toEqual(["open", Number.POSITIVE_INFINITY]);
    const again = step(paused, tell({ paused: false }), 500_000, settings, 1);
    expect(dueAt(again, settings)).toBe(536_000);
  });
});

describe("the policy of the standard's class", () => {
  const standard: ReconnectSettings = { ...settings, connectTimeout: 1e9, idleTimeout: 1e9, lose: loseByStandard };

  /** Streams that each last so long, from a server that says `retry`. @returns The waits after them. */
  function waits(count: number, lasting: number, retryFloor: number): number[] {
    let now = 0;
    let state = initialState(now, retryFloor);
    return Array.from({ length: count }, () => {
      state = step(state, opened, now, standard, 0);
      now += lasting;
      state = step(state, lost, now, standard, 0);
      const waited = state.retryAt - now;
      now = state.retryAt;
      state = step(state, { type: "tick" }, now, standard, 0);
      return waited;
    });
  }

  test.each([0, 1])("with retry: %d, streams that end at once are opened twice a second at most", (retry) => {
    expect(waits(12, 0, retry)).toEqual([2, 4, 8, 16, 32, 64, 128, 256, 500, 500, 500, 500]);
  });

  test("a stream that has lasted, and a longer time of the server, wait for nothing else", () => {
    expect(waits(12, 500, 0)).toEqual(new Array(12).fill(0));
    expect(waits(12, 0, 3_000)).toEqual(new Array(12).fill(3_000));
  });
});

describe("after a sleep", () => {
  const wake = { type: "wake", online: true } as const;

  test("a stream that was idle for longer than its keep-alive is replaced at once, another is kept", () => {
    const inputs: [number, ReconnectInput][] = [
      [0, opened],
      [0, tell({ keepAlive: 15_000 })],
    ];
    expect(run([...inputs, [14_000, wake]])).toMatchObject({ phase: "open", connection: 1 });
    expect(run([...inputs, [16_000, wake]])).toMatchObject({ phase: "connecting", connection: 2 });
  });

  test("a wait ends, unless the server asked for it", () => {
    expect(
      run([
        [0, { type: "lost", error: "offline" }],
        [10, wake],
      ]).phase,
    ).toBe("connecting");
    expect(
      run([
        [0, { type: "lost", error: "offline" }],
        [10, { ...wake, online: false }],
      ]).phase,
    ).toBe("waiting");
    expect(
      run([
        [0, tell({ retryFloor: 5_000 })],
        [0, lost],
        [4_999, wake],
      ]).phase,
    ).toBe("waiting");
    expect(
      run([
        [0, tell({ retryFloor: 5_000 })],
        [0, lost],
        [5_000, wake],
      ]).phase,
    ).toBe("connecting");
  });

  test("a client without a network comes back with it, unless the server has asked it to stay away", () => {
    const retry = tell({ retryFloor: 5_000 });
    const offline = { ...lost, offline: true } as const;
    expect(
      run([
        [0, retry],
        [0, offline],
        [10, wake],
      ]).phase,
    ).toBe("connecting");
    expect(
      run([
        [0, retry],
        [0, offline],
      ]).retryAt,
    ).toBeGreaterThanOrEqual(5_000);
    expect(
      run([
        [0, opened],
        [0, tell({ laterFloor: 60_000 })],
        [0, offline],
        [59_999, wake],
      ]).phase,
    ).toBe("waiting");
  });

  test("a page that is put away has no connection until it comes back", () => {
    const away = run([
      [0, opened],
      [10, { type: "suspend" }],
    ]);
    expect([away.phase, dueAt(away, settings)]).toEqual(["waiting", Number.POSITIVE_INFINITY]);
    expect(step(away, wake, 99_999, settings, 1)).toMatchObject({ phase: "connecting", connection: 2 });
  });
});

describe("the application wants a new connection", () => {
  const reconnect = { type: "change", change: reconnectNow } as const;
  const random = 1;

  test("at once in place of an open one; an attempt under way stays", () => {
    const connecting = initialState(0, 1_000);
    expect(step(connecting, reconnect, 10, settings, random)).toBe(connecting);
    const open = step(connecting, opened, 20, settings, random);
    expect(step(open, reconnect, 30, settings, random)).toMatchObject({
      phase: "connecting",
      connection: 2,
      since: 30,
    });
  });

  test("a wait ends at once, or when the server allows it", () => {
    const waiting = step(initialState(0, 1_000), lost, 0, settings, random);
    expect([waiting.phase, waiting.notBefore]).toEqual(["waiting", 1_000]);
    expect(waiting.retryAt).toBeGreaterThan(1_000);
    expect(step(waiting, reconnect, 10, settings, random)).toMatchObject({ phase: "waiting", retryAt: 1_000 });
    expect(step(waiting, reconnect, 1_001, settings, random)).toMatchObject({ phase: "waiting", retryAt: 1_001 });
  });

  test("a page that is put away stays so", () => {
    const away = step(initialState(0, 0), { type: "suspend" }, 0, settings, random);
    expect(step(away, reconnect, 10, settings, random)).toBe(away);
  });
});

describe("whatever happens", () => {
  const input: fc.Arbitrary<ReconnectInput> = fc.oneof(
    fc.constantFrom<ReconnectInput>(
      opened,
      { type: "bytes" },
      tell({ attempt: 0 }),
      { type: "suspend" },
      { type: "change", change: reconnectNow },
      { type: "tick" },
      { type: "tick" },
      { type: "lost", error: "cut" },
      lost,
    ),
    fc.record({ retryFloor: fc.nat(20_000) }).map(tell),
    fc.record({ laterFloor: fc.nat(20_000) }).map(tell),
    fc.record({ keepAlive: fc.integer({ min: 1, max: 30_000 }) }).map(tell),
    fc.record({ paused: fc.boolean() }).map(tell),
    fc.record({ type: fc.constant("wake" as const), online: fc.boolean() }),
  );
  const history = fc.array(fc.tuple(fc.nat(50_000), input, fc.double({ min: 0, max: 1, noNaN: true })), {
    maxLength: 60,
  });

  test("a connection is numbered once, the server's time is kept, and a client never gives up on its own", () => {
    fc.assert(
      fc.property(history, (steps) => {
        let state = initialState(0, 0);
        let now = 0;
        for (const [pause, next, random] of steps) {
          now += pause;
          const before = state;
          state = step(state, next, now, settings, random);
          expect(state.connection - before.connection).toBeLessThanOrEqual(1);
          if (state.connection > before.connection) expect(state.phase).toBe("connecting");
          if (before.phase === "waiting" && state.phase === "connecting")
            expect(now).toBeGreaterThanOrEqual(before.notBefore);
          if (state.phase === "waiting") expect(state.retryAt).toBeGreaterThanOrEqual(state.notBefore);
          expect(state.phase).not.toBe("closed");
        }
        // Time alone brings it back, unless the page is put away.
        if (state.phase !== "waiting" || Number.isFinite(state.retryAt)) {
          state = step(state, tell({ paused: false }), now, settings, 0);
          for (let n = 0; n < 3 && state.phase !== "connecting"; n++) {
            now = dueAt(state, settings);
            expect(Number.isFinite(now)).toBe(true);
            state = step(state, { type: "tick" }, now, settings, 0);
          }
          expect(state.phase).toBe("connecting");
        }
      }),
    );
  });

  test("closed is closed", () => {
    fc.assert(
      fc.property(history, (steps) => {
        const closed = step(initialState(0, 0), { type: "close", by: "closed" }, 0, settings, 0);
        let now = 0;
        for (const [pause, next, random] of steps) {
          now += pause;
          expect(step(closed, next, now, settings, random)).toBe(closed);
        }
        expect(dueAt(closed, settings)).toBe(Number.POSITIVE_INFINITY);
      }),
    );
  });
});
