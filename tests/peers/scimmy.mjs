// scimmy behind its Express routers. The library leaves storage to whoever uses it: here it is SQLite, one row a user,
// an index on userName, paging in SQL, and every write synchronised before it is answered.
// usage: node scimmy.mjs DATABASE TOKEN; prints one line of JSON when it listens; ends with its standard input.

import {randomUUID} from "node:crypto";

import Database from "better-sqlite3";
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";

const [file, token] = process.argv.slice(2);
// Users that a list shows if the request does not say.
const PAGE = 100;

const database = new Database(file);
database.pragma("journal_mode = WAL");
database.pragma("synchronous = FULL");
database.exec(`CREATE TABLE IF NOT EXISTS users (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    document TEXT NOT NULL)`);
const sql = {
    insert: database.prepare("INSERT INTO users (id, name, document) VALUES (?, ?, ?)"),
    update: database.prepare("UPDATE users SET name = ?, document = ? WHERE id = ?"),
    remove: database.prepare("DELETE FROM users WHERE id = ?"),
    byId: database.prepare("SELECT document FROM users WHERE id = ?").pluck(),
    byName: database.prepare("SELECT document FROM users WHERE name = ?").pluck(),
    all: database.prepare("SELECT document FROM users ORDER BY number").pluck(),
    page: database.prepare("SELECT document FROM users ORDER BY number LIMIT ? OFFSET ?").pluck(),
    count: database.prepare("SELECT count(*) FROM users").pluck(),
};

function parsed(document) {
    if (document === undefined) throw new SCIMMY.Types.Error(404, null, "no such user");
    return JSON.parse(document);
}

function ingress(resource, instance) {
    const now = new Date().toISOString();
    const before = resource.id ? parsed(sql.byId.get(resource.id)) : undefined;
    const user = {
        ...JSON.parse(JSON.stringify(instance)),
        id: before?.id ?? randomUUID(),
        meta: {created: before?.meta.created ?? now, lastModified: now},
    };
    try {
        if (before) sql.update.run(user.userName, JSON.stringify(user), user.id);
        else sql.insert.run(user.id, user.userName, JSON.stringify(user));
    } catch (error) {
        if (error.code === "SQLITE_CONSTRAINT_UNIQUE") throw new SCIMMY.Types.Error(409, "uniqueness", "userName is taken");
        throw error;
    }
    return user;
}

function egress(resource) {
    if (resource.id) return parsed(sql.byId.get(resource.id));
    if (resource.filter) {
        // What an index answers is asked of it; the library walks through everything for the rest.
        const [only, ...others] = resource.filter;
        const [[attribute, comparison], ...more] = Object.entries(only);
        if (!others.length && !more.length && attribute.toLowerCase() === "username" && comparison?.[0] === "eq") {
            return sql.byName.all(comparison[1]).map(parsed);
        }
        return resource.filter.match(sql.all.all().map(parsed));
    }
    const {startIndex = 1, count = PAGE} = resource.constraints ?? {};
    resource.constraints = {...resource.constraints, startIndex, count, totalResults: sql.count.get()};
    return sql.page.all(count, startIndex - 1).map(parsed);
}

function degress(resource) {
    if (sql.remove.run(resource.id).changes === 0) throw new SCIMMY.Types.Error(404, null, "no such user");
}

SCIMMY.Resources.declare(SCIMMY.Resources.User)
    .extend(SCIMMY.Schemas.EnterpriseUser, false)
    .ingress(ingress)
    .egress(egress)
    .degress(degress);

const app = express();
app.use("/v2", new SCIMMYRouters({
    type: "bearer",
    handler: (request) => {
        if (request.header("Authorization") !== `Bearer ${token}`) throw new Error("the credential is not valid");
        return "client";
    },
}));

const server = app.listen(0, "127.0.0.1", () => {
    process.stdout.write(`${JSON.stringify({url: `http://127.0.0.1:${server.address().port}/v2`})}\n`);
});
// A load keeps its connections for as long as it runs.
server.keepAliveTimeout = 600_000;
process.stdin.on("end", () => process.exit(0));
process.stdin.resume();
