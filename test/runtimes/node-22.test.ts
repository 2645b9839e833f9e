import { nodeSuite } from "./node.ts";

nodeSuite("22.23.3");
