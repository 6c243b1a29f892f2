package compat

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/client-go/util/workqueue"

	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/adapters"
)

var (
	_ flowcontrol.RateLimiter            = adapters.Limiter{}
	_ workqueue.TypedRateLimiter[string] = (*adapters.Workqueue[string])(nil)
	_ workqueue.TypedRateLimiter[any]    = (*adapters.Workqueue[any])(nil)
)

func TestRESTClient(t *testing.T) {
	bubble(t, func(t *testing.T, l adapters.Limiter) {
		s := serve(t, ok)
		client, err := rest.RESTClientForConfigAndClient(&rest.Config{
			Host:        s.URL,
			RateLimiter: l,
			ContentConfig: rest.ContentConfig{
				GroupVersion:         &schema.GroupVersion{Version: "v1"},
				NegotiatedSerializer: serializer.NewCodecFactory(runtime.NewScheme()).WithoutConversion(),
			},
		}, s.client)
		require.NoError(t, err)
		require.EqualValues(t, 1, client.GetRateLimiter().QPS())
		for range 4 {
			_, err := client.Get().AbsPath("/pods").DoRaw(t.Context())
			require.NoError(t, err)
		}
		require.Equal(t, seconds(0, 0, 1, 2), s.asked())

		client.GetRateLimiter().Stop()
		require.False(t, client.GetRateLimiter().TryAccept())
		_, err = client.Get().AbsPath("/pods").DoRaw(t.Context())
		require.ErrorIs(t, err, scheduler.ErrClosed)
		require.Len(t, s.asked(), 4)
	})
}

func TestWorkqueue(t *testing.T) {
	bubble(t, func(t *testing.T, _ adapters.Limiter) {
		q := workqueue.NewTypedRateLimitingQueue(&adapters.Workqueue[string]{Policy: exact})
		comes := func(item string) time.Duration {
			started := time.Now()
			q.AddRateLimited(item)
			got, down := q.Get()
			require.False(t, down)
			require.Equal(t, item, got)
			q.Done(item)
			return time.Since(started)
		}
		require.Equal(t, time.Second, comes("pod"))
		require.Equal(t, 2*time.Second, comes("pod"))
		require.Equal(t, time.Second, comes("node"))
		require.Equal(t, 2, q.NumRequeues("pod"))
		q.Forget("pod")
		require.Zero(t, q.NumRequeues("pod"))
		require.Equal(t, time.Second, comes("pod"))
		q.ShutDown()
	})
}
