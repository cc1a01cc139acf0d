#!/usr/bin/env bash
# Runs once, as superuser, in a fresh database folder. Services get an ordinary role, so that row-level security holds for them.
set -euo pipefail
psql --username "$POSTGRES_USER" --dbname postgres --set ON_ERROR_STOP=1 --set password="$TSUMUGI_DB_PASSWORD" <<'SQL'
CREATE ROLE tsumugi LOGIN CREATEROLE PASSWORD :'password';
CREATE DATABASE tsumugi OWNER tsumugi;
\connect tsumugi
CREATE EXTENSION vector SCHEMA public;
SQL
