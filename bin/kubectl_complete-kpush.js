#!/usr/bin/env node
"use strict";
const { join } = require("node:path");
const { start } = require("../dist/loader.cjs");
process.argv.splice(2, 0, "__complete");
start(process, join(__dirname, "..", "dist"), "kubectl kpush");
