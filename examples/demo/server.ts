import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { openEventSource } from "sourcecast/node";
import { Chat } from "./chat.ts";
import { renderField, SharedDocument } from "./document.ts";
import { files } from "./files.ts";
import { Refusal, readForm, sendPage, sendText } from "./http.ts";
import { listen } from "./listen.ts";
import { renderPage } from "./page.ts";
import { choosePersona, findPersona } from "./personas.ts";
import { Storyteller } from "./story.ts";
import { type Visitor, Visitors } from "./visitors.ts";
import { Wire } from "./wire.ts";

const visitors = new Visitors();
const document = new SharedDocument(visitors);
const chat = new Chat(visitors);
const storyteller = new Storyteller(visitors);
const wires = new Map<string, Wire>();

type Route = (request: IncomingMessage, response: ServerResponse, url: URL) => void | Promise<void>;

const routes: Record<string, Route> = {
  "GET /": (_request, response, url) => {
    const windowId = randomBytes(16).toString("hex");
    const persona = findPersona(url.searchParams.get("as")) ?? choosePersona(visitors.personas);
    sendPage(response, renderPage({ windowId, persona, document: document.render(), tellings: storyteller.render() }));
  },

  /** The one stream of a window. */
  "GET /events": (request, response, url) => {
    const id = url.searchParams.get("window");
    const persona = findPersona(url.searchParams.get("as"));
    if (id === null || !/^[0-9a-f]{32}$/.test(id) || persona === null) throw new Refusal(400, "No such window");
    const wire = Wire.tap(response);
    // Short times, since here one wants to see what happens.
    const source = openEventSource(request, response, { render: String, keepAlive: "10s", retry: ["500ms", "1500ms"] });
    if (source.readyState === source.CLOSED) return;
    wires.set(id, wire);
    source.addEventListener("close", () => {
      if (wires.get(id) === wire) wires.delete(id);
    });
    const visitor: Visitor = { id, persona, source };
    for (const part of [visitors, document, chat, storyteller]) part.welcome(visitor);
  },

  /** The bytes of that stream, for the panel that shows them. */
  "GET /wire": (_request, response, url) => {
    const wire = wires.get(url.searchParams.get("window") ?? "");
    if (wire === undefined) throw new Refusal(404, "This window has no open stream");
    wire.answer(response);
  },

  "POST /document": async (request, response) => {
    const form = await readForm(request);
    const field = document.field(form.get("field"));
    if (field === undefined) throw new Refusal(404, "There is no such field");
    const visitor = visitors.find(form.get("window"));
    const action = form.get("action");
    const text = form.get("text") ?? "";
    const done = visitor && (action === "lock" ? document.lock(field, visitor) : document.write(field, visitor, text));
    // Somebody else was faster: the window is given the field as everybody else sees it.
    if (!done) return sendText(response, 409, renderField(field));
    if (action === "release") document.release(field, visitor);
    sendText(response, 200, field.text);
  },

  "POST /chat": async (request, response) => {
    const form = await readForm(request);
    if (!chat.say(visitorOf(form), form.get("text") ?? "")) throw new Refusal(422, "Nothing to say, or too much");
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

function visitorOf(form: URLSearchParams): Visitor {
  const visitor = visitors.find(form.get("window"));
  if (visitor === undefined) throw new Refusal(409, "This window has no open stream");
  return visitor;
}

const server = createServer(async (request, response) => {
  try {
    const url = new URL(request.url ?? "/", "http://localhost");
    const route = routes[`${request.method} ${url.pathname}`];
    if (route !== undefined) await route(request, response, url);
    else if (!files.serve(url.pathname, request, response)) throw new Refusal(404, "There is nothing here");
  } catch (error) {
    if (response.headersSent || response.destroyed) return;
    if (!(error instanceof Refusal)) console.error(error);
    const { status, message } = error instanceof Refusal ? error : { status: 500, message: "That went wrong" };
    sendText(response, status, message);
  }
});

await listen(server);
