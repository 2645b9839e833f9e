"use client";

import { useEvents, useSubscription } from "sourcecast/react";

export default function Headlines() {
  const news = useSubscription("/news");
  const headlines = useEvents(news, (titles, event) => [...titles, event.json().title], []);

  return (
    <ul>
      {headlines.map((title) => (
        <li key={title}>{title}</li>
      ))}
    </ul>
  );
}
