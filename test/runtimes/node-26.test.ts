import { nodeSuite } from "./node.ts";

nodeSuite("26.10.0");
