// node build.mjs: combines the script and an interpreter into a component.

import { mkdir, writeFile } from "node:fs/promises";
import { componentize } from "@bytecodealliance/componentize-js";

const { component } = await componentize({
  sourcePath: "handler.js",
  witPath: "wit/world.wit",
  worldName: "handler",
});
await mkdir("dist", { recursive: true });
await writeFile("dist/__NAME__.wasm", component);
