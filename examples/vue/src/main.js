import { createApp } from "vue";
import "../board/style.css";
import LiveBoard from "./LiveBoard.vue";

createApp(LiveBoard).mount("#app");
