import { longestMessage } from "./chat.ts";
import { type Html, html } from "./html.ts";
import type { Persona } from "./personas.ts";
import { figures } from "./stats.ts";

/** Features of htmx that are off: evaluating code, its own styles, caching pages, waiting before it settles a swap. */
const htmxConfig = JSON.stringify({
  allowEval: false,
  allowScriptTags: false,
  includeIndicatorStyles: false,
  historyCacheSize: 0,
  defaultSwapStyle: "none",
  defaultSettleDelay: 0,
});

/** The command that kills this process. A window that stays open receives that of the next one. */
export const killCommand = `kill -9 ${process.pid}`;

export interface PageState {
  /** The id of the window in its requests. */
  readonly windowId: string;
  readonly persona: Persona;
  /** The position of the stream that the following state belongs to. */
  readonly cursor: string;
  readonly fields: ReadonlyMap<string, Html>;
  readonly room: Html;
  readonly tale: Html;
  readonly control: Html;
}

/** The page. `body` connects to the stream, and htmx swaps each named event into the element that names it. */
export function renderPage({ windowId, persona, cursor, fields, room, tale, control }: PageState): Html {
  const stream = `/events?${new URLSearchParams({ window: windowId, as: persona.id, lastEventId: cursor })}`;
  return html`
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <title>sourcecast: one stream, many windows</title>
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <meta name="description" content="A live demo of server-sent events with sourcecast">
        <meta name="htmx-config" content="${htmxConfig}">
        <link rel="icon" href="/icon.svg" type="image/svg+xml">
        <link rel="preload" href="/fonts/figtree.woff2" as="font" type="font/woff2" crossorigin>
        <link rel="preload" href="/fonts/fraunces.woff2" as="font" type="font/woff2" crossorigin>
        <link rel="preload" href="/fonts/jetbrains-mono.woff2" as="font" type="font/woff2" crossorigin>
        <link rel="stylesheet" href="/style.css">
        <script src="/htmx.js" defer></script>
        <script src="/htmx-sse.js" defer></script>
        <script src="/app.js" type="module"></script>
      </head>
      <body hx-ext="sse" sse-connect="${stream}" hx-vals="${JSON.stringify({ window: windowId })}"
        data-window="${windowId}" data-persona="${persona.id}" data-connection="connecting" style="--hue: ${persona.hue}">
        <a class="skip" href="#document">Skip to the document</a>
        ${renderHeader(persona)}
        <main>
          ${renderDocument(fields)}
          ${renderChat(room)}
          ${renderStory(tale, control)}
          ${renderWire()}
          ${renderStats()}
        </main>
        <footer>
          <p>Everything here arrives over <strong>one</strong> event stream per window, read by
          <code>sourcecast/client</code>. Kill the server and start it again, with <code sse-swap="kill" hx-swap="innerHTML">${killCommand}</code>
          and <code>npm start</code> in a terminal: nothing is lost, and no window needs a reload.</p>
        </footer>
        <div id="notice" class="notice" role="status"></div>
        <p id="announcements" class="visually-hidden" role="status"></p>
      </body>
    </html>
  `;
}

/** The page for an address that does not exist. */
export function renderNotFound(): Html {
  return html`
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <title>Nothing here: sourcecast</title>
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <link rel="icon" href="/icon.svg" type="image/svg+xml">
        <link rel="stylesheet" href="/style.css">
      </head>
      <body class="not-found">
        <main>
          <h1>There is nothing here</h1>
          <p>The demo is one page, and this is not its address.</p>
          <p><a class="button" href="/">Open the demo</a></p>
        </main>
      </body>
    </html>
  `;
}

function renderHeader(persona: Persona): Html {
  return html`
    <header class="top">
      <div class="brand">
        <svg viewBox="0 0 32 32" aria-hidden="true"><use href="/icon.svg#mark"></use></svg>
        <span>sourcecast</span>
      </div>
      <div class="connection">
        <p id="connection" role="status"></p>
        <button type="button" id="line" role="switch" aria-checked="true" aria-describedby="line-hint">Online</button>
        <span id="line-hint">Switch off to cut this window’s connection</span>
      </div>
      <div class="people" id="people" sse-swap="people" hx-swap="innerHTML"></div>
      <div class="intro">
        <h1>One stream, many windows</h1>
        <p>This window is <strong class="me">${persona.name}</strong> to the others. Anything that happens in one window
        shows in all of them at once.</p>
        <ol class="try">
          <li><a id="second-window" class="button" href="/" target="_blank" rel="noopener">Open a second window</a></li>
          <li>Click into a field there: it is locked here</li>
          <li>
            <span>Close that window, or end its process: in Chrome press <kbd>Shift</kbd>+<kbd>Esc</kbd>, choose its tab and
            “End process”. The field is free at once</span>
          </li>
          <li>Switch one window offline, write in the other, and switch it back: it catches up</li>
        </ol>
      </div>
    </header>
  `;
}

function renderDocument(fields: ReadonlyMap<string, Html>): Html {
  const places = Array.from(
    fields,
    ([name, field]) => html`
      <div class="field" data-field="${name}" sse-swap="field-${name}" hx-swap="innerHTML">${field}</div>
    `,
  );
  return html`
    <section id="document" class="card document" aria-labelledby="document-title" tabindex="-1">
      <div class="title">
        <h2 id="document-title">A document</h2>
        <p>Click into a field and it is yours. The lock is held by your open stream, and by nothing else.</p>
      </div>
      <form class="paper" autocomplete="off" aria-label="Invitation">${places}</form>
    </section>
  `;
}

function renderChat(room: Html): Html {
  return html`
    <section class="card chat" aria-labelledby="chat-title">
      <div class="title">
        <h2 id="chat-title">A chat room</h2>
        <p>Kept in a log, encoded once, sent to every window.</p>
      </div>
      <div class="messages" data-pin sse-swap="chat-room" hx-swap="innerHTML" role="log" aria-label="Messages" tabindex="0">${room}</div>
      <form hx-post="/chat" class="composer">
        <label class="visually-hidden" for="chat-text">Your message</label>
        <input id="chat-text" name="text" maxlength="${longestMessage}" placeholder="Say something" autocomplete="off" required>
        <button>Send</button>
      </form>
      <p class="problem" role="alert"></p>
    </section>
  `;
}

function renderStory(tale: Html, control: Html): Html {
  return html`
    <section class="card story" aria-labelledby="story-title">
      <div class="title">
        <h2 id="story-title">A story, token by token</h2>
        <p>Piped from a generator on the server. It stops when its reader leaves.</p>
      </div>
      <div class="telling" data-pin sse-swap="story" hx-swap="innerHTML" tabindex="0" role="region" aria-label="The story">${tale}</div>
      <div class="control" sse-swap="story-control" hx-swap="innerHTML">${control}</div>
      <h3>Generators on the server</h3>
      <ul class="tellings" sse-swap="tellings" hx-swap="innerHTML"></ul>
    </section>
  `;
}

function renderWire(): Html {
  return html`
    <div class="side">
      <section class="wire" aria-labelledby="wire-title">
        <div class="title">
          <h2 id="wire-title">On the wire</h2>
          <p class="meter" aria-live="off"><span id="wire-frames">0</span> frames, <span id="wire-bytes">0 B</span></p>
          <button type="button" class="quiet" id="wire-pause" aria-pressed="false">Pause</button>
        </div>
        <pre id="frames" tabindex="0" role="log" aria-live="off" aria-label="Raw frames of this window’s stream"></pre>
        <p id="wire-note">The bytes of this window’s stream as they leave the server</p>
      </section>
    </div>
  `;
}

function renderStats(): Html {
  const entries = Object.entries(figures);
  return html`
    <section class="card hub" aria-labelledby="hub-title">
      <h2 id="hub-title">The hub</h2>
      <table>
        <thead>
          <tr>${entries.map(([name, { meaning }]) => html`<th scope="col" title="${meaning}">${name}</th>`)}</tr>
        </thead>
        <tbody id="figures" sse-swap="stats" hx-swap="innerHTML"></tbody>
      </table>
      <details>
        <summary>What these figures mean</summary>
        <dl>${entries.map(([name, { meaning }]) => html`<div><dt>${name}</dt><dd>${meaning}</dd></div>`)}</dl>
      </details>
    </section>
  `;
}
