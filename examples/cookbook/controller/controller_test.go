package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// event is an event of a watch.
type event struct {
	Type   string           `json:"type"`
	Object corev1.ConfigMap `json:"object"`
}

// cluster is an API server with config maps. It fails the first update of each.
type cluster struct {
	*httptest.Server

	mu       sync.Mutex
	version  int
	maps     map[string]corev1.ConfigMap
	watchers []chan event
	failed   map[string]bool
	requests int // except for watches
	updates  int
	done     chan struct{} // closed when all have an annotation
}

func newCluster(t *testing.T, maps int) *cluster {
	c := &cluster{maps: map[string]corev1.ConfigMap{}, failed: map[string]bool{}, done: make(chan struct{})}
	for i := range maps {
		c.put(corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprint("map", i)},
			Data:       map[string]string{"n": strconv.Itoa(i)},
		})
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/configmaps", c.watch)
	mux.HandleFunc("PUT /api/v1/namespaces/default/configmaps/{name}", c.update)
	c.Server = httptest.NewServer(mux)
	t.Cleanup(c.Close)
	return c
}

// put stores a map under the next version. The caller holds the lock, or has not started the server yet.
func (c *cluster) put(m corev1.ConfigMap) corev1.ConfigMap {
	c.version++
	m.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}
	m.ResourceVersion = strconv.Itoa(c.version)
	c.maps[m.Name] = m
	return m
}

// watch streams the existing maps, if the request asks for them, and all later changes.
func (c *cluster) watch(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	changes := make(chan event, 1000)
	c.mu.Lock()
	if r.FormValue("sendInitialEvents") == "true" {
		for _, m := range c.maps {
			changes <- event{"ADDED", m}
		}
		end := corev1.ConfigMap{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}}
		end.ResourceVersion = strconv.Itoa(c.version)
		end.Annotations = map[string]string{metav1.InitialEventsAnnotationKey: "true"}
		changes <- event{"BOOKMARK", end}
	}
	c.watchers = append(c.watchers, changes)
	c.mu.Unlock()
	for {
		select {
		case ev := <-changes:
			_ = json.NewEncoder(w).Encode(ev)
			_ = http.NewResponseController(w).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

func (c *cluster) update(w http.ResponseWriter, r *http.Request) {
	var m corev1.ConfigMap
	err := json.NewDecoder(r.Body).Decode(&m)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	w.Header().Set("Content-Type", "application/json")
	switch name := r.PathValue("name"); {
	case err != nil || m.Name != name:
		refuse(w, http.StatusBadRequest, metav1.StatusReasonBadRequest)
	case !c.failed[name]:
		c.failed[name] = true
		refuse(w, http.StatusInternalServerError, metav1.StatusReasonInternalError)
	case m.ResourceVersion != c.maps[name].ResourceVersion:
		refuse(w, http.StatusConflict, metav1.StatusReasonConflict)
	default:
		c.updates++
		m = c.put(m)
		for _, changes := range c.watchers {
			changes <- event{"MODIFIED", m}
		}
		_ = json.NewEncoder(w).Encode(m)
		if c.updates == len(c.maps) {
			close(c.done)
		}
	}
}

func refuse(w http.ResponseWriter, code int32, reason metav1.StatusReason) {
	w.WriteHeader(int(code))
	_ = json.NewEncoder(w).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   metav1.StatusFailure, Reason: reason, Code: code,
	})
}

// TestReconcile checks that each map is annotated although its first update fails, and that each request has
// paid.
func TestReconcile(t *testing.T) {
	const maps = 30
	c := newCluster(t, maps)
	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerSecond(1000).Burst(5)})
	require.NoError(t, err)
	defer s.Close()

	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	config := &rest.Config{Host: c.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}} // the server speaks JSON
	go func() { ended <- Run(ctx, config, s, 4) }()
	<-c.done
	cancel(errEnough)
	require.ErrorIs(t, <-ended, errEnough)

	c.mu.Lock()
	defer c.mu.Unlock()
	digests := map[string]bool{}
	for _, m := range c.maps {
		require.Len(t, m.Annotations[Annotation], 64)
		digests[m.Annotations[Annotation]] = true
	}
	require.Len(t, digests, maps, "all are different")
	require.Equal(t, maps, c.updates)
	require.EqualValues(t, c.requests, s.Snapshot().Ledger.Spent)
	require.GreaterOrEqual(t, c.requests, 2*maps)
}

var errEnough = errors.New("enough")
