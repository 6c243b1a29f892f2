package pgbucket

import (
	"context"
	_ "embed" // for the schema
	"fmt"
)

//go:embed schema.sql
var schema string

// Schema returns the statements that make the schema "fairlead" with the tables and the functions that a [Store]
// needs, for a tool that applies such changes. To run them again changes nothing. A role that
// does not own the schema needs USAGE on it, and SELECT, INSERT and DELETE on its tables.
func Schema() string { return schema }

// Setup makes what [Schema] describes, unless the database has it. Processes may call it at the same time, and
// at each start. The role needs the right to create a schema only if there is something to make.
func (s *Store) Setup(ctx context.Context) error {
	var there bool
	const version = `SELECT EXISTS (SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
		WHERE n.nspname = 'fairlead' AND p.proname = 'exchange_v1')`
	err := s.pool.QueryRow(ctx, version).Scan(&there)
	if err == nil && !there {
		_, err = s.pool.Exec(ctx, schema)
	}
	if err != nil {
		return fmt.Errorf("pgbucket: setup: %w", err)
	}
	return nil
}
