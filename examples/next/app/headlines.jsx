"use client";

import { useEffect, useState } from "react";

export default function Headlines() {
  const [headlines, setHeadlines] = useState([]);

  useEffect(() => {
    const news = new EventSource("/news");
    news.addEventListener("headline", (event) => {
      const { title } = JSON.parse(event.data);
      setHeadlines((headlines) => [...headlines, title]);
    });
    return () => news.close();
  }, []);

  return (
    <ul>
      {headlines.map((title) => (
        <li key={title}>{title}</li>
      ))}
    </ul>
  );
}
