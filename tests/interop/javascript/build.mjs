// node build.mjs SOURCE WIT OUTPUT: makes a component of a script, with an interpreter in it.

import { writeFile } from "node:fs/promises";
import { componentize } from "@bytecodealliance/componentize-js";

const [sourcePath, witPath, output] = process.argv.slice(2);
const { component } = await componentize({ sourcePath, witPath, worldName: "handler" });
await writeFile(output, component);
