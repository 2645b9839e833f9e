import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import Board from "../board/Board.jsx";
import "../board/style.css";

createRoot(document.querySelector("#root")).render(
  <StrictMode>
    <Board />
  </StrictMode>,
);
