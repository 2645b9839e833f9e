import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useEvent, useLoss, useSubscription } from "sourcecast/react";
import { Announcements, Trains } from "../board/Board.jsx";
import { events } from "../board/events.js";
import { applyEvent, applyLoss, boardOf, describeStatus, emptyBoard, rowsOf, watchBreaks } from "../board/state.js";

const queryKey = ["board"];

/** The state of the server, and its position. Events may have arrived while it was on its way, so the newer line wins. */
async function fetchBoard({ client }) {
  const response = await fetch("/board/state");
  if (!response.ok) throw new Error(`The board was answered with ${response.status}`);
  const { trains, cursor } = await response.json();
  const known = client.getQueryData(queryKey) ?? emptyBoard;
  const newest = trains.map((train) => (known.trains[train.line]?.at >= train.at ? known.trains[train.line] : train));
  return { ...known, trains: boardOf(newest).trains, cursor };
}

export default function QueryBoard() {
  // The stream keeps the data fresh, so there is nothing to refetch until an event was lost.
  const { data } = useQuery({ queryKey, queryFn: fetchBoard, staleTime: Number.POSITIVE_INFINITY });
  return data === undefined ? <p className="board">Loading</p> : <LiveBoard board={data} />;
}

function LiveBoard({ board }) {
  const client = useQueryClient();
  const stream = useSubscription("/board/events", { events, after: board.cursor });

  useEvent(stream, "*", (event) => client.setQueryData(queryKey, (board) => applyEvent(board, event)));
  useLoss(stream, (loss) => {
    client.setQueryData(queryKey, (board) => applyLoss(board, loss));
    client.invalidateQueries({ queryKey });
  });

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
      <footer>Events that changed the cache: {board.received}</footer>
    </main>
  );
}
