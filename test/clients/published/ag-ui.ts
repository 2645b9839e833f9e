/** AG-UI's agent over HTTP, which CopilotKit uses. */
import type { PublishedClient } from "./client.ts";
import { agUi } from "./protocols.ts";

export const agUiClient: PublishedClient = {
  package: "@ag-ui/client",
  api: "`HttpAgent`",
  method: "POST",
  protocol: agUi,
  atCut: { error: "TypeError: terminated" },
  noise: { prints: /Agent execution failed: TypeError: terminated/, unhandled: /TypeError: terminated/ },
  async read({ url, load, onWord }) {
    const { HttpAgent } = await load("@ag-ui/client");
    let failure: Error | undefined;
    await new HttpAgent({ url }).runAgent(
      {},
      {
        onTextMessageContentEvent: ({ event }: { event: { delta: string } }) => onWord(event.delta),
        onRunErrorEvent({ event }: { event: { message: string } }) {
          failure = new Error(event.message);
        },
      },
    );
    if (failure !== undefined) throw failure;
  },
};
