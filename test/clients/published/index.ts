/** The published clients that are tested, in the order of the table in the docs. */
import { a2a } from "./a2a.ts";
import { agUiClient } from "./ag-ui.ts";
import { ai } from "./ai.ts";
import { aiSdkReact } from "./ai-sdk-react.ts";
import { anthropic } from "./anthropic.ts";
import type { PublishedClient } from "./client.ts";
import { eventSourcePlus } from "./event-source-plus.ts";
import { eventsource } from "./eventsource.ts";
import { eventsourceClient } from "./eventsource-client.ts";
import { fetchEventSource } from "./fetch-event-source.ts";
import { graphqlSse } from "./graphql-sse.ts";
import { langgraph } from "./langgraph.ts";
import { launchdarklyEventsource } from "./launchdarkly-eventsource.ts";
import { mcp1, mcp2 } from "./mcp.ts";
import { mistral } from "./mistral.ts";
import { openai } from "./openai.ts";
import { orpc } from "./orpc.ts";
import { tanstackAi } from "./tanstack-ai.ts";
import { trpc } from "./trpc.ts";

export const publishedClients: readonly PublishedClient[] = [
  ai,
  aiSdkReact,
  openai,
  anthropic,
  mistral,
  agUiClient,
  tanstackAi,
  a2a,
  langgraph,
  mcp1,
  mcp2,
  graphqlSse,
  trpc,
  orpc,
  eventsource,
  eventsourceClient,
  eventSourcePlus,
  fetchEventSource,
  launchdarklyEventsource,
];
