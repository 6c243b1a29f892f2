// Package redisbucket keeps a budget in Redis that several processes share.
//
//	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{"localhost:6379"}})
//	store, err := redisbucket.New(client, "openai")
//	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerMinute(500).Burst(10), Store: store})
//
// All processes whose stores have the same name in the same Redis share the budget. Package goredis, a module of its
// own, does the same with the client go-redis.
//
// rueidis.NewClient connects, and fails if Redis can't be reached. New does not call Redis, and a client that has once
// been connected connects again by itself.
//
// # What Redis does
//
// One Lua script answers an exchange. It uses the clock of the Redis server and no other, and takes 40 to 80 µs
// of processor time. On a busy machine of two cores, clients included, one Redis had 8,000 to 15,000 exchanges a second. A process has a few exchanges a second, however
// many calls it grants. A client may send the script again, for example after a lost connection, since the store
// sells once for each ask.
//
// A budget takes two keys, the hash fairlead:{name} and the sorted set fairlead:{name}:processes, with about 300 bytes
// for each process of the last ten minutes. The braces keep both on one node of a cluster. They have no time to live.
// To forget a budget, delete both.
//
// Hints are messages on the channel fairlead:{name}, one when a server asks the processes to wait and one when the
// limit changes. Each process has one subscription. A process that missed a message learns the same at its next
// exchange.
//
// # Requirements
//
// Redis 5 or later, or a server that has the same commands, in any topology: alone, with sentinels, a cluster. Tests
// use Redis 7.0. Scripts must be allowed to use INFO, whose run_id tells a restart or another server. If the provider
// has renamed it or the user may not use it, each exchange is an error. The commands that a user needs are
//
//	ACL SETUSER limiter on >password ~fairlead:{* &fairlead:{* +evalsha +eval +time +info +exists +del +hmget +hset
//	    +hdel +zadd +zcard +zcount +zrangebyscore +zremrangebyscore +publish +subscribe
//
// # When Redis loses data
//
// It does not matter whether Redis persists or replicates the budget. After a restart, with an empty, old or complete
// dataset, after a failover to a replica, FLUSHALL, an eviction of one of the keys, or when the clock was set back by
// more than a second, the budget begins empty and sells nothing for [bucket.LearnTime], since what was sold before may
// still be spent meanwhile. So no loss lets more calls through than the limit, and each costs at most LearnTime of
// refill. Tests check this with real servers. While Redis has no memory, it refuses exchanges, and loses nothing.
//
// Two masters at a time are another matter. An old master that still accepts writes sells to the processes that
// have not left it, beside the new one. That is within the limit if it ends before LearnTime has passed on the new one.
// If it goes on, the processes of each side get the whole rate. To bound it, let a master without replicas
// refuse writes, with min-replicas-to-write 1 and min-replicas-max-lag 2 in redis.conf.
package redisbucket
