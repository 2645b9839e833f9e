"use client";

import { useEffect, useState } from "react";
import { useEvents, useSubscription } from "sourcecast/react";
import { events } from "./events.js";
import { applyEvent, applyLoss, describeStatus, emptyBoard, remarkOf, rowsOf, timeOf, watchBreaks } from "./state.js";

export default function Board({ initial = emptyBoard, after = "" }) {
  const stream = useSubscription("/board/events", { events, after });
  const board = useEvents(stream, applyEvent, initial, applyLoss);
  const [notice, setNotice] = useState("");
  const [watch] = useState(() => watchBreaks(setNotice));
  useEffect(() => watch(stream.status.state, board), [watch, stream.status.state, board]);

  return (
    <main className="board">
      <header>
        <h1>Departures</h1>
        <p className="status" data-state={stream.status.state} role="status">
          {describeStatus(stream.status)}
        </p>
      </header>
      <p className="notice" role="status">
        {notice}
      </p>
      <Trains rows={rowsOf(board)} />
      <Announcements list={board.announcements} isLive={stream.status.state === "open"} />
      <footer>
        Events received: {board.received}. Stop the server, or go offline, and come back: the board continues where it
        was.
      </footer>
    </main>
  );
}

export function Trains({ rows }) {
  return (
    <table className="trains">
      <thead>
        <tr>
          <th>Time</th>
          <th>Train</th>
          <th>To</th>
          <th>Platform</th>
          <th>Remark</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((train) => (
          <tr key={`${train.line} ${train.change}`} data-state={train.state} className={train.change ? "changed" : ""}>
            <td>{timeOf(train.departs)}</td>
            <td>{train.name}</td>
            <td>{train.to}</td>
            <td>{train.platform}</td>
            <td>{remarkOf(train)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function Announcements({ list, isLive }) {
  async function announce(formData) {
    const body = JSON.stringify({ text: formData.get("text") });
    const headers = { "content-type": "application/json" };
    // It fails where the page is offline, which the status says.
    await fetch("/board/announce", { method: "POST", headers, body }).catch(() => {});
  }

  return (
    <section className="announcements">
      <h2>Announcements</h2>
      <form action={announce}>
        <input
          name="text"
          aria-label="Announcement"
          placeholder="Say something to every window"
          required
          maxLength={200}
        />
        <button type="submit" disabled={!isLive}>
          Announce
        </button>
      </form>
      <ol>
        {list.map(({ text, at, number }) => (
          <li key={number}>
            <time>{timeOf(at)}</time> {text}
          </li>
        ))}
      </ol>
    </section>
  );
}
