tier = "durable"
