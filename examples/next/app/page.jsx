"use client";

import { useEffect, useState } from "react";
import Headlines from "./headlines.jsx";

export default function Page() {
  const [time, setTime] = useState("…");
  useEffect(() => {
    const source = new EventSource("/events");
    source.addEventListener("time", (event) => setTime(JSON.parse(event.data)));
    return () => source.close();
  }, []);
  return (
    <>
      <p>
        It is <b id="time">{time}</b>
      </p>
      <Headlines />
      <p>
        <a href="/board">A live board</a>
      </p>
    </>
  );
}
