import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { respond } from "sourcecast/node";
import { Chat } from "./chat.ts";
import { renderField, SharedDocument } from "./document.ts";
import { Refusal, readForm, sendPage, sendText } from "./http.ts";
import { readWithCursor, type Store } from "./hub.ts";
import { Lines } from "./lines.ts";
import { killCommand, renderPage } from "./page.ts";
import { choosePersona, findPersona, type Persona } from "./personas.ts";
import { StatsPanel } from "./stats.ts";
import { Storyteller } from "./story.ts";
import { type Visitor, Visitors } from "./visitors.ts";
import { Wire } from "./wire.ts";

type Route = (request: IncomingMessage, response: ServerResponse, url: URL) => void | Promise<void>;

/** Routes by method and path. */
export type Routes = Readonly<Record<string, Route>>;

export async function openRoutes(store: Store): Promise<Routes> {
  const { hub } = store;
  const visitors = new Visitors();
  const document = await SharedDocument.open(store);
  const chat = new Chat(store);
  const storyteller = new Storyteller(store, visitors);
  const stats = new StatsPanel(hub, visitors);
  const lines = new Lines();
  const wires = new Map<string, Wire>();

  /** The stored state that a window shows, and its position in the stream. */
  const readState = (persona: Persona) =>
    readWithCursor(hub, async () => ({
      room: await chat.render(),
      tale: await storyteller.renderTale(persona),
      fields: document.render(),
    }));

  function visitorOf(form: URLSearchParams): Visitor {
    const visitor = visitors.find(form.get("window"));
    if (visitor === undefined) throw new Refusal(409, "This window has no open stream");
    return visitor;
  }

  return {
    "GET /": async (_request, response, url) => {
      const persona = findPersona(url.searchParams.get("as")) ?? choosePersona(visitors.taken);
      const windowId = randomBytes(16).toString("hex");
      visitors.expect(windowId, persona);
      const { state, cursor } = await readState(persona);
      const control = await storyteller.renderControl(persona);
      sendPage(response, renderPage({ windowId, persona, cursor, control, ...state }));
    },

    /** The stream of a window. It starts at the position of the page. */
    "GET /events": async (request, response, url) => {
      const id = url.searchParams.get("window");
      const persona = findPersona(url.searchParams.get("as"));
      if (id === null || !/^[0-9a-f]{32}$/.test(id) || persona === null) throw new Refusal(400, "No such window");
      if (!lines.connect(id, response)) return;
      const wire = Wire.tap(request, response);
      const source = await respond(hub, request, response, {
        channels: [Chat.channel, SharedDocument.channel, Storyteller.channel(persona)],
        // For a window that missed events which are no longer stored: the current state.
        snapshot: async () => {
          const { state, cursor } = await readState(persona);
          const events = [
            { type: "chat-room", data: String(state.room) },
            { type: "story", data: String(state.tale) },
            ...Array.from(state.fields, ([name, view]) => ({ type: `field-${name}`, data: String(view) })),
          ];
          return { events, cursor };
        },
      });
      if (source === null || source.readyState === source.CLOSED) return;
      wires.set(id, wire);
      source.addEventListener("close", () => {
        if (wires.get(id) === wire) wires.delete(id);
      });
      const visitor: Visitor = { id, persona, source };
      for (const part of [visitors, document, storyteller, stats]) part.welcome(visitor);
      source.dispatch("kill", killCommand);
    },

    /** The bytes of that stream, for the panel that shows them. */
    "GET /wire": (_request, response, url) => {
      const wire = wires.get(url.searchParams.get("window") ?? "");
      if (wire === undefined) throw new Refusal(404, "This window has no open stream");
      wire.answer(response);
    },

    /** Cuts the line of a window, and restores it. */
    "POST /line": async (request, response) => {
      const form = await readForm(request);
      const id = form.get("window") ?? "";
      if (form.get("cut") === "yes") lines.cut(id);
      else lines.mend(id);
      response.writeHead(204).end();
    },

    "POST /document": async (request, response) => {
      const form = await readForm(request);
      const field = document.field(form.get("field"));
      if (field === undefined) throw new Refusal(404, "There is no such field");
      const visitor = visitors.find(form.get("window"));
      const action = form.get("action");
      const text = form.get("text") ?? "";
      const done =
        visitor &&
        (action === "lock" ? await document.lock(field, visitor) : await document.write(field, visitor, text));
      // Another visitor was faster: the window gets the field as all other windows see it.
      if (!done) return sendText(response, 409, renderField(field));
      if (action === "release") await document.release(field, visitor);
      sendText(response, 200, field.text);
    },

    "POST /chat": async (request, response) => {
      const form = await readForm(request);
      const said = await chat.say(visitorOf(form), form.get("text") ?? "");
      if (!said) throw new Refusal(422, "Nothing to say, or too much");
      response.writeHead(204).end();
    },

    "POST /story": async (request, response) => {
      storyteller.tell(visitorOf(await readForm(request)));
      response.writeHead(204).end();
    },

    "POST /story/stop": async (request, response) => {
      storyteller.stop(visitorOf(await readForm(request)));
      response.writeHead(204).end();
    },
  };
}
