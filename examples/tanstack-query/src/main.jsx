import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "../board/style.css";
import QueryBoard from "./QueryBoard.jsx";

createRoot(document.querySelector("#root")).render(
  <StrictMode>
    <QueryClientProvider client={new QueryClient()}>
      <QueryBoard />
    </QueryClientProvider>
  </StrictMode>,
);
