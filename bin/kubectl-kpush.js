#!/usr/bin/env node
"use strict";
const { join } = require("node:path");
const { start } = require("../dist/loader.cjs");
start(process, join(__dirname, "..", "dist"), "kubectl kpush");
