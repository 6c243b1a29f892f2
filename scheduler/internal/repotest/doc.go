// Package repotest has tests of the repository as a whole, over all of its modules. They check that imports
// only point down, that the core is pure, that documents name what exists, and that comments and examples are there.
package repotest
