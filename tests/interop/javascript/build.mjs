// node build.mjs SOURCE WIT OUTPUT: builds a component from a script and an interpreter.

import { writeFile } from "node:fs/promises";
import { componentize } from "@bytecodealliance/componentize-js";

const [sourcePath, witPath, output] = process.argv.slice(2);
const { component } = await componentize({ sourcePath, witPath, worldName: "handler" });
await writeFile(output, component);
