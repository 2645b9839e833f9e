import Board from "../../board/Board.jsx";
import { openBoard } from "../../board/hub.js";
import { boardOf } from "../../board/state.js";
import "../../board/style.css";

export const metadata = { title: "Departures, live, with Next.js" };
// For each request: the trains of the build would be out of date.
export const dynamic = "force-dynamic";

// A server component: the page is rendered with the trains, and the stream begins at their position.
export default async function Page() {
  const { trains, cursor } = await openBoard().snapshot();
  return <Board initial={boardOf(trains)} after={cursor} />;
}
