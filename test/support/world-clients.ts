/** The clients of a world, each with a clock that the world moves. */
import { resolveSubscribeOptions } from "../../src/client/options.ts";
import { Subscription } from "../../src/client/subscribe.ts";
import type { OpenWorldClient } from "./client-world.ts";
import { VirtualEnvironment } from "./virtual-environment.ts";

/** `subscribe()` in a runtime whose clock the world moves. */
export function openSubscription(random: () => number): OpenWorldClient {
  return (fetch, received) => {
    const environment = new VirtualEnvironment(random);
    const options = resolveSubscribeOptions("http://localhost/events", { channels: ["a"], fetch });
    const stream = new Subscription(options, environment);
    stream.on("*", (event) => received.event(event.data));
    stream.onLoss(() => received.loss());
    return {
      async advance(most) {
        const { time, next } = environment;
        const moved = next === undefined ? most : Math.min(most, Math.max(0, next - time));
        environment.advance(moved);
        return moved;
      },
      sleep() {
        environment.time += 120_000;
        environment.listener?.onWake();
      },
      close() {
        stream.close();
        return environment.timers;
      },
    };
  };
}
