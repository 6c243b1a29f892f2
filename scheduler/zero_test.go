package scheduler_test

import (
	"context"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/scheduler"
)

// Each method of a zero Scheduler says what is wrong, and none hangs or reads a nil pointer.
func TestZeroScheduler(t *testing.T) {
	const want = "scheduler: a zero Scheduler does nothing: make one with New"
	run := func(context.Context) error { return nil }
	zero := reflect.TypeFor[*scheduler.Scheduler]()
	for i := range zero.NumMethod() {
		m := zero.Method(i)
		in := []reflect.Value{reflect.ValueOf(new(scheduler.Scheduler))}
		for a := 1; a < m.Type.NumIn() && !(m.Type.IsVariadic() && a == m.Type.NumIn()-1); a++ {
			switch m.Type.In(a) {
			case reflect.TypeFor[context.Context]():
				in = append(in, reflect.ValueOf(t.Context()))
			case reflect.TypeFor[func(context.Context) error]():
				in = append(in, reflect.ValueOf(run))
			default:
				in = append(in, reflect.Zero(m.Type.In(a)))
			}
		}
		require.PanicsWithValue(t, want, func() { m.Func.Call(in) }, m.Name)
	}

	var s scheduler.Scheduler
	require.PanicsWithValue(t, want, func() { _ = s.Do(t.Context(), run, scheduler.Cost(2)) })
	value := func(context.Context) (int, error) { return 1, nil }
	require.PanicsWithValue(t, want, func() { _, _ = scheduler.Value(t.Context(), &s, value) })
	length := func(_ context.Context, in string) (int, error) { return len(in), nil }
	require.PanicsWithValue(t, want, func() { scheduler.Stream(t.Context(), &s, slices.Values([]string{"a"}), length) })
}
