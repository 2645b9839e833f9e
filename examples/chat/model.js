// A language model without a key and without a network. It writes at the pace of a human who types fast.
import { MockLanguageModelV4 } from "ai/test";

const answers = [
  `A **reload** loses nothing: the answer is not in the page, and not in the memory of the server either. It is in a log, and
the page reads it from the start again.

Try it now, while I am writing. The words that you see come back at once, and the next ones follow at their own pace.

Then open this page in a *second window*. Both show the same answer, because both read the same channel.`,
  `When the server is **killed**, the words so far are safe in the log. The process that wrote them is gone, though, and with
it the connection to the model.

The next server finds an answer without an end. It waits for one lease, in case the writer is only slow. Then it ends the
answer with an error, in the words of the protocol that your page speaks.

So the page never waits for a writer that will not come back.`,
  `You can **stop** me from any window. The server that receives your click may be another one than the server that writes:
the request to stop is an entry in the log, and the writer reads it there.

The model stops as well, because the writer passes an \`AbortSignal\` on to it. That is what stops the bill.`,
];

/** How long the model thinks before the first word, and how long a word takes, in milliseconds. */
const thinkingMs = 600;
const wordMs = Number(process.env.WORD_MS ?? 90);

export const model = new MockLanguageModelV4({
  modelId: "a-human-pace",
  doStream: async ({ prompt, abortSignal }) => ({ stream: write(answerTo(prompt), abortSignal) }),
});

function answerTo(prompt) {
  const questions = prompt.filter(({ role }) => role === "user").length;
  return answers[(questions - 1) % answers.length].replaceAll(/(\S)\n(\S)/g, "$1 $2");
}

function write(text, signal) {
  const words = text.match(/\s*\S+/g);
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  return new ReadableStream({
    async start(controller) {
      controller.enqueue({ type: "stream-start", warnings: [] });
      controller.enqueue({ type: "text-start", id: "1" });
      await pause(thinkingMs);
      for (const delta of words) {
        if (signal?.aborted) return controller.error(signal.reason);
        controller.enqueue({ type: "text-delta", id: "1", delta });
        await pause(wordMs * (0.5 + Math.random()));
      }
      controller.enqueue({ type: "text-end", id: "1" });
      const count = { total: words.length };
      controller.enqueue({
        type: "finish",
        finishReason: { unified: "stop", raw: "stop" },
        usage: { inputTokens: count, outputTokens: count },
      });
      controller.close();
    },
  });
}
