package journal

import (
	"encoding/json"
	"log/slog"
	"time"

	"example.com/fairlead/scheduler"
)

// keyLeft is what a key had left at a commit. It is in the records of calls with the key, so that it is forgotten with
// them. The latest of a key counts.
type keyLeft struct {
	seq  uint64 // of the commit
	text string // a savedKey
}

// savedKey has the levels of a key's budgets, and its hold.
type savedKey struct {
	At      time.Time     `json:"at"`
	Held    time.Duration `json:"held,omitzero"` // from At on
	Budgets []savedBudget `json:"budgets,omitzero"`
}

// leftOf returns what a key has left, or "" if its budgets are full and it is not held. Then it does not matter what an earlier
// commit wrote, since that would have refilled by now.
func leftOf(k *scheduler.KeySnapshot) string {
	now, isNew := savedKey{At: k.At}, k.HeldUntil.IsZero()
	if !isNew {
		now.Held = k.HeldUntil.Sub(k.At)
	}
	for _, b := range k.Budgets {
		isNew = isNew && b.Available == b.Limit.Capacity
		now.Budgets = append(now.Budgets, savedBudget{Name: []byte(b.Name), Level: b.Level})
	}
	if isNew {
		return ""
	}
	text, err := json.Marshal(now)
	if err != nil {
		panic(err) // all of it can be written as JSON
	}
	return string(text)
}

// noteKeys adds to changes what the keys of the calls have left.
func (j *Journal) noteKeys(changes []change) {
	var keys []string
	of := map[string][]int{}
	for i, c := range changes {
		if key := c.record.key; key != "" {
			if of[key] == nil {
				keys = append(keys, key)
			}
			of[key] = append(of[key], i)
		}
	}
	if len(keys) == 0 {
		return
	}
	all, err := j.s.SnapshotsOf(keys)
	if err != nil {
		return // the scheduler is closed, and the file keeps what it has
	}
	for k := range all {
		left := leftOf(&all[k])
		for _, i := range of[keys[k]] {
			changes[i].left = left
		}
	}
}

// restoreKeys gives keys what they had left.
func (j *Journal) restoreKeys(found map[string]keyLeft) {
	failed, why := 0, error(nil)
	for key, left := range found {
		if err := j.restoreKey(key, left.text); err != nil {
			failed, why = failed+1, err
		}
	}
	if failed > 0 {
		j.warn("keys begin anew", slog.Int("keys", failed), slog.Any("err", why))
	}
}

func (j *Journal) restoreKey(key, text string) error {
	var saved savedKey
	if err := json.Unmarshal([]byte(text), &saved); err != nil {
		return err
	}
	left := scheduler.KeySnapshot{Key: key, At: saved.At}
	if saved.Held > 0 {
		left.HeldUntil = saved.At.Add(saved.Held)
	}
	for _, b := range saved.Budgets {
		left.Budgets = append(left.Budgets, scheduler.OwnBudget{Name: string(b.Name), Level: b.Level})
	}
	return j.s.RestoreKey(left)
}
